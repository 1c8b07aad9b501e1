import { toast } from "sonner";
import { Refusal } from "@/api/client";
import { plainMessage } from "@/components/ui/Message";

/** Tell the creator that something was not done, and why. */
export function tellRefusal(error: unknown): void {
  if (error instanceof Refusal && error.status === 401) return; // The login page says it.
  toast.error(plainMessage(error instanceof Error ? error.message : String(error)));
}

/** Do it; tell if it was refused. Returns whether it was done. */
export async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    tellRefusal(error);
    return false;
  }
}

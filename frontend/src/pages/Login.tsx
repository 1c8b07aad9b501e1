import { KeyRound } from "lucide-react";
import { useRef, useState } from "react";
import { ask, http, Refusal } from "@/api/client";
import { Button } from "@/components/ui/Button";
import { Message } from "@/components/ui/Message";

/** Asked once per browser, when the studio has a token. */
export function Login({ onDone }: { onDone: () => void }) {
  const [token, setToken] = useState("");
  const [refusal, setRefusal] = useState<string | null>(null);
  const [asking, setAsking] = useState(false);
  const field = useRef<HTMLInputElement>(null);

  async function logIn() {
    if (!token || asking) return;
    setAsking(true);
    try {
      await ask(http.POST("/api/v1/login", { body: { token } }));
      onDone();
    } catch (error) {
      const wrong = error instanceof Refusal && error.status === 401;
      setRefusal(wrong ? "That is not the token of this studio." : error instanceof Error ? error.message : String(error));
      setAsking(false);
      field.current?.select();
    }
  }

  return (
    <main className="flex min-h-dvh items-center justify-center px-4">
      <form
        className="w-full max-w-sm"
        onSubmit={(event) => {
          event.preventDefault();
          void logIn();
        }}
      >
        <div className="mb-6 flex size-12 items-center justify-center rounded-2xl bg-accent text-on-accent">
          <KeyRound aria-hidden className="size-5" />
        </div>
        <h1 className="font-story text-3xl font-medium">VideoGen Studio</h1>
        <p className="mt-1.5 text-ink-2">This studio is locked. Its token is the API_TOKEN it was started with.</p>
        <label className="mt-6 flex flex-col gap-1.5 text-sm text-ink-2">
          Token
          <input
            ref={field}
            // There is nothing else to do here.
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            type="password"
            autoComplete="current-password"
            value={token}
            onChange={(event) => setToken(event.target.value)}
            aria-invalid={refusal !== null}
            aria-describedby={refusal ? "login-refusal" : undefined}
            className="field h-11"
          />
        </label>
        <p id="login-refusal" role="alert" className="mt-1.5 min-h-5 text-sm text-bad">
          {refusal && <Message text={refusal} />}
        </p>
        <Button kind="primary" type="submit" disabled={!token || asking} className="mt-3 w-full">
          Log in
        </Button>
      </form>
    </main>
  );
}

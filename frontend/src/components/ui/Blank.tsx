import type { ReactNode } from "react";
import { Message } from "./Message";

interface Props {
  icon: ReactNode;
  title: string;
  text: string;
  children?: ReactNode;
}

/** A page or list that has nothing to show, and says why and what to do. */
export function Blank({ icon, title, text, children }: Props) {
  return (
    <section className="mx-auto flex max-w-md flex-col items-center px-4 py-20 text-center">
      <div className="mb-5 flex size-14 items-center justify-center rounded-2xl border border-line bg-surface text-accent-text [&>svg]:size-6">{icon}</div>
      <h2 className="font-story text-2xl font-medium text-balance">{title}</h2>
      <p className="mt-2 text-balance text-ink-2">
        <Message text={text} />
      </p>
      {children && <div className="mt-6 flex flex-wrap justify-center gap-2">{children}</div>}
    </section>
  );
}

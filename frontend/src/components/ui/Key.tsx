export function Key({ children }: { children: string }) {
  return (
    <kbd className="inline-flex min-w-5 items-center justify-center rounded border border-line bg-canvas px-1.5 font-sans text-xs leading-5 text-ink-2">
      {children}
    </kbd>
  );
}

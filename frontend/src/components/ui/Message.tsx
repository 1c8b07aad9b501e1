const TYPED = /`([^`]+)`/; //: what is meant to be typed as it stands, such as a command

/** Words of the studio or about it: what they have between backticks is shown as code. */
export function Message({ text }: { text: string }) {
  return (
    <span>
      {text.split(TYPED).map((part, index) =>
        index % 2 ? (
          // The parts have no identity beside their place.
          // oxlint-disable-next-line react/no-array-index-key
          <code key={index} className="font-mono text-[0.92em] break-words">
            {part}
          </code>
        ) : (
          part
        ),
      )}
    </span>
  );
}

/** The same where there are only letters: aloud, and in toasts. */
export function plainMessage(text: string): string {
  return text.replaceAll(new RegExp(TYPED, "g"), "$1");
}

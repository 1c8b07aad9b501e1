import { memo, useEffect, useRef, useState } from "react";
import type { Sentence } from "@/api/contracts";
import { fileUrl } from "@/api/client";
import { classes } from "@/components/ui/classes";

interface Props {
  sentence: Sentence;
  number: number;
  playing: boolean; //: the pointer or the focus is on the card
  dimmed: boolean;
}

/** The image of a scene; its video over it while it is looked at. The box around it has its size already. */
export const SceneMedia = memo(function SceneMedia({ sentence, number, playing, dimmed }: Props) {
  const { image, video } = sentence;
  if (!image) {
    return (
      // A watermark and no text: it is said elsewhere, and meant to be faint.
      <span
        aria-hidden
        data-number={number}
        className="absolute inset-0 flex items-center justify-center font-story text-6xl font-medium text-ink/10 steady before:content-[attr(data-number)]"
      />
    );
  }
  return (
    <>
      <Picture key={image.key} src={fileUrl(image)} dimmed={dimmed} />
      {video && playing && <Clip key={video.key} src={fileUrl(video)} />}
    </>
  );
});

function Picture({ src, dimmed }: { src: string; dimmed: boolean }) {
  const [shown, setShown] = useState(false);
  const element = useRef<HTMLImageElement>(null);
  useEffect(() => {
    if (element.current?.complete) setShown(true);
  }, []);
  return (
    <img
      ref={element}
      src={src}
      alt=""
      decoding="async"
      draggable={false}
      onLoad={() => setShown(true)}
      className={classes(
        "absolute inset-0 size-full object-cover transition-opacity duration-200",
        shown ? (dimmed ? "opacity-55" : "opacity-100") : "opacity-0",
      )}
    />
  );
}

function Clip({ src }: { src: string }) {
  const [shown, setShown] = useState(false);
  return (
    <video
      src={src}
      muted
      loop
      autoPlay
      playsInline
      aria-hidden
      tabIndex={-1}
      onPlaying={() => setShown(true)}
      // What cannot be played leaves its image in place.
      onError={() => setShown(false)}
      className={classes("absolute inset-0 size-full object-cover transition-opacity duration-150", shown ? "opacity-100" : "opacity-0")}
    />
  );
}

import { ArrowLeft, ArrowRight, CircleStop, Clapperboard, EllipsisVertical, Film, Image, Images, ListPlus, PencilLine, RotateCcw, Trash2 } from "lucide-react";
import { memo } from "react";
import type { Sentence } from "@/api/contracts";
import { IconButton } from "@/components/ui/Button";
import { Menu, MenuContent, MenuItem, MenuLine, MenuTrigger } from "@/components/ui/Menu";
import type { CardState } from "@/storyboard/card";
import { useSceneActions } from "./actions";

interface Props {
  sentence: Sentence;
  number: number;
  count: number;
  state: CardState;
  reachable: boolean; //: by Tab
}

const OPEN = new Set(["starting", "waiting", "queued", "running", "stopping"]);

/** Drawn anew only when it says something else: a card whose job runs is drawn many times a second. */
export const SceneMenu = memo(function SceneMenu({ sentence, number, count, state, reachable }: Props) {
  const actions = useSceneActions();
  const { id, image } = sentence;
  const busy = OPEN.has(state);
  return (
    <Menu modal={false}>
      <MenuTrigger asChild>
        <IconButton label={`Actions for scene ${number}`} tabIndex={reachable ? 0 : -1} small className="-mr-1.5">
          <EllipsisVertical aria-hidden className="size-4.5" />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="end">
        <MenuItem keys="Enter" onSelect={() => actions.open(id)}>
          <Images aria-hidden /> Open, choose takes
        </MenuItem>
        <MenuItem keys="E" onSelect={() => actions.edit(id)}>
          <PencilLine aria-hidden /> Edit text and prompt
        </MenuItem>
        <MenuLine />
        {busy ? (
          <MenuItem keys="X" disabled={state === "stopping" || state === "starting"} onSelect={() => actions.stop(id)}>
            <CircleStop aria-hidden /> Cancel this scene
          </MenuItem>
        ) : (
          <>
            {state === "failed" && (
              <MenuItem onSelect={() => actions.retry(id)}>
                <RotateCcw aria-hidden /> Retry
              </MenuItem>
            )}
            <MenuItem keys="R" onSelect={() => actions.makeAgain(id, ["image", "video"], ["image"])}>
              <Clapperboard aria-hidden /> {image ? "New image and video" : "Make image and video"}
            </MenuItem>
            <MenuItem onSelect={() => actions.makeAgain(id, ["image"], ["image"])}>
              <Image aria-hidden /> {image ? "New image only" : "Make image only"}
            </MenuItem>
            <MenuItem keys="V" disabled={!image} onSelect={() => actions.makeAgain(id, ["video"], ["video"])}>
              <Film aria-hidden /> {sentence.video ? "New video" : "Make video"}
            </MenuItem>
          </>
        )}
        <MenuLine />
        <MenuItem onSelect={() => actions.insert(number + 1)}>
          <ListPlus aria-hidden /> Add sentence after this
        </MenuItem>
        <MenuItem keys="⇧←" disabled={number === 1} onSelect={() => actions.move(id, number - 1)}>
          <ArrowLeft aria-hidden /> Move earlier
        </MenuItem>
        <MenuItem keys="⇧→" disabled={number === count} onSelect={() => actions.move(id, number + 1)}>
          <ArrowRight aria-hidden /> Move later
        </MenuItem>
        <MenuLine />
        <MenuItem keys="Del" danger onSelect={() => actions.remove(id)}>
          <Trash2 aria-hidden /> Delete sentence
        </MenuItem>
      </MenuContent>
    </Menu>
  );
});

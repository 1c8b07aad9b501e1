import { ArrowLeft, ArrowRight, CircleStop, Clapperboard, EllipsisVertical, Film, Image, Images, ListPlus, PencilLine, RotateCcw, Trash2 } from "lucide-react";
import type { Sentence } from "@/api/contracts";
import { IconButton } from "@/components/ui/Button";
import { Menu, MenuContent, MenuItem, MenuLine, MenuTrigger } from "@/components/ui/Menu";
import type { CardView } from "@/storyboard/card";
import { useSceneActions } from "./actions";

interface Props {
  sentence: Sentence;
  number: number;
  count: number;
  view: CardView;
  reachable: boolean; //: by Tab
}

const OPEN = new Set(["starting", "waiting", "queued", "running", "stopping"]);

export function SceneMenu({ sentence, number, count, view, reachable }: Props) {
  const actions = useSceneActions();
  const { id, image } = sentence;
  const busy = OPEN.has(view.state);
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
          <MenuItem keys="X" disabled={view.state === "stopping" || view.state === "starting"} onSelect={() => actions.stop(id)}>
            <CircleStop aria-hidden /> Cancel this scene
          </MenuItem>
        ) : (
          <>
            {view.state === "failed" && (
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
}

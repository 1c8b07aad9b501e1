import { Keyboard, LogOut, Settings2 } from "lucide-react";
import { toast } from "sonner";
import { ask, http } from "@/api/client";
import { IconButton } from "@/components/ui/Button";
import { Menu, MenuChoice, MenuContent, MenuItem, MenuLabel, MenuLine, MenuRadios, MenuSwitch, MenuTrigger } from "@/components/ui/Menu";
import { allowSound, chime } from "@/hooks/chime";
import { useConfig } from "@/hooks/useConfig";
import { prefer, type Preferences, usePreferences } from "@/preferences";
import { attempt } from "./tell";

export function StudioMenu({ onShortcuts }: { onShortcuts: () => void }) {
  const { theme, sound, notifications } = usePreferences();
  const config = useConfig();
  return (
    <Menu modal={false}>
      <MenuTrigger asChild>
        <IconButton label="Preferences" small>
          <Settings2 aria-hidden className="size-4.5" />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="end">
        <MenuLabel>Theme</MenuLabel>
        <MenuRadios value={theme} onValueChange={(value) => prefer({ theme: value as Preferences["theme"] })}>
          <MenuChoice value="system" title="As the system" />
          <MenuChoice value="light" title="Light" />
          <MenuChoice value="dark" title="Dark" />
        </MenuRadios>
        <MenuLine />
        <MenuLabel>When a generation ends</MenuLabel>
        <MenuSwitch checked={sound} onCheckedChange={switchSound}>
          A soft sound
        </MenuSwitch>
        <MenuSwitch checked={notifications} onCheckedChange={(on) => void switchNotifications(on)}>
          A notification, if nobody looks
        </MenuSwitch>
        <MenuLine />
        <MenuItem keys="?" onSelect={onShortcuts}>
          <Keyboard aria-hidden /> Keyboard
        </MenuItem>
        {config?.login && (
          <MenuItem onSelect={() => void logOut()}>
            <LogOut aria-hidden /> Log out
          </MenuItem>
        )}
      </MenuContent>
    </Menu>
  );
}

function switchSound(on: boolean): void {
  prefer({ sound: on });
  if (!on) return;
  allowSound();
  chime(true);
}

async function switchNotifications(on: boolean): Promise<void> {
  if (!on) {
    prefer({ notifications: false });
    return;
  }
  // Some browsers have none, or only on pages that are served with https.
  const granted = "Notification" in globalThis && (await Notification.requestPermission()) === "granted";
  prefer({ notifications: granted });
  if (!granted) toast.error("The browser does not let this page notify you", { description: "Allow notifications in its settings for this site, then switch them on here." });
}

async function logOut(): Promise<void> {
  if (await attempt(ask(http.POST("/api/v1/logout")))) location.assign("/");
}

import { createRoot } from "react-dom/client";
import { App } from "./App";
import { allowSoundEarly } from "./hooks/chime";
import { followPreferences } from "./preferences";
import "./styles.css";

followPreferences();
allowSoundEarly();
const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);

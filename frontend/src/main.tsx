import { createRoot } from "react-dom/client";
import { App } from "./App";
import { followPreferences } from "./preferences";
import "./styles.css";

followPreferences();
const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);

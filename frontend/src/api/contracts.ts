/** The contracts' names as this page says them. The shapes come from the Python models. */
import type { components } from "./contracts.gen";

type Schemas = components["schemas"];

export type Artifact = Schemas["Artifact"];
export type BrowserEvent = Schemas["BrowserEvent"];
export type Config = Schemas["Config"];
export type EditSentence = Schemas["EditSentence"];
export type Failure = Schemas["Failure"];
export type Fits = Schemas["Fits"];
export type GenerateScenes = Schemas["GenerateScenes"];
export type NewProject = Schemas["NewProject"];
export type Order = Schemas["Order"];
export type Problem = Schemas["Problem"];
export type Project = Schemas["Project"];
export type ProjectSummary = Schemas["ProjectSummary"];
export type Run = Schemas["Run"];
export type RunStatus = Schemas["RunStatus"];
export type Scene = Schemas["Scene"];
export type SceneStatus = Schemas["SceneStatus"];
export type Sentence = Schemas["Sentence"];
export type Size = Schemas["Size"];
export type SmallWidth = Schemas["SmallWidth"];
export type Stage = Schemas["Stage"];
export type StageCount = Schemas["StageCount"];
export type Storyboard = Schemas["Storyboard"];
export type Take = Schemas["Take"];
export type Worker = Schemas["WorkerSeen"];

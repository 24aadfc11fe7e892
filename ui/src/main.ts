import "./begin";
import { mount } from "svelte";
import AppWindow from "./App.svelte";
import { App } from "./lib/app.svelte";
import { applyAppearance } from "./lib/theme";
import "./styles/all";

// Before the first paint: the desktop's choice, until the settings have come.
applyAppearance("system");

mount(AppWindow, { target: document.body, props: { app: new App() } });

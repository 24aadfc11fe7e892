/**
 * What the first screen of an ordinary start does not show: read once the list is painted, or when
 * it is asked for. Everything in here is one file of the bundle.
 */
export { default as Dialogs } from "./components/dialogs/Dialogs.svelte";
export { default as CommandPalette } from "./components/frame/CommandPalette.svelte";
export { default as ActivityView } from "./views/ActivityView.svelte";
export { default as ConnectView } from "./views/ConnectView.svelte";
export { default as LockView } from "./views/LockView.svelte";
export { default as ReviewView } from "./views/ReviewView.svelte";
export { default as SettingsView } from "./views/SettingsView.svelte";

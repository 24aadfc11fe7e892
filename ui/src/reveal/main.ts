import { mount } from "svelte";
import { applyAppearance } from "../lib/theme";
import "../styles/all";
import Reveal from "./Reveal.svelte";
import { Revealed } from "./revealed.svelte";

// The shell passes the choice of the settings; this page may not ask for them.
const asked = new URLSearchParams(location.search).get("theme");
applyAppearance(asked === "light" || asked === "dark" ? asked : "system");

mount(Reveal, { target: document.body, props: { revealed: new Revealed() } });

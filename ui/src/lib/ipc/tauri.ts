import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { Host } from "./host";

/** The shell this window was opened by. */
export const tauri: Host = {
  call: (name, request) => invoke(name, { request }),
  listen: (event, handler) => listen(event, ({ payload }) => handler(payload)),
};

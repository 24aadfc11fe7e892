import { askEarly } from "./lib/ipc/begin";

// The first module of the page: the shell answers while the others are read.
askEarly();

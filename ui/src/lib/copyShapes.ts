import type { CopyShape } from "./ipc";

/** A shape a value can be copied in, as menus name it. */
export interface CopyShapeLine {
  shape: CopyShape;
  label: string;
  /** Who takes it. */
  detail: string;
}

/** Every shape but the value alone, by the kind of tool that takes it. */
export const COPY_SHAPES: readonly { title: string; lines: readonly CopyShapeLine[] }[] = [
  {
    title: "Shell",
    lines: [
      { shape: "spectrocloudExport", label: "SPECTROCLOUD_APIKEY export", detail: "Terraform" },
      { shape: "paletteExport", label: "PALETTE_API_KEY export", detail: "SDKs" },
      { shape: "powershell", label: "PowerShell variables", detail: "$env:" },
      { shape: "dotenv", label: ".env lines", detail: "dotenv" },
      { shape: "curl", label: "curl", detail: "Key not in ps" },
    ],
  },
  {
    title: "Terraform",
    lines: [
      { shape: "terraformProvider", label: "Terraform provider block", detail: "provider.tf" },
      { shape: "tfvars", label: ".tfvars line", detail: "sc_api_key" },
    ],
  },
  {
    title: "Agents and code",
    lines: [
      { shape: "mcpServer", label: "MCP server config", detail: "JSON" },
      { shape: "go", label: "Go", detail: "palette-sdk-go" },
      { shape: "typescript", label: "TypeScript", detail: "SDK" },
      { shape: "python", label: "Python", detail: "requests" },
    ],
  },
];

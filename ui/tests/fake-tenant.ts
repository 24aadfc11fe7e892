/** Keys and people of an invented tenant, the same on every run. */
import type { Flag, KeyView, PersonView, Status } from "../src/lib/ipc";

/** Mon 23 Nov 2026, 13:02 UTC: the moment every fake starts from. */
export const NOW = Date.UTC(2026, 10, 23, 13, 2, 0);
const DAY = 86_400_000;

const people: [name: string, uid: string][] = [
  ["Jane Doe", "5f0000000000000000000001"],
  ["Ana Ruiz", "5f0000000000000000000002"],
  ["Mikko Korhonen", "5f0000000000000000000003"],
  ["Sam Okafor", "5f0000000000000000000004"],
  ["Tomás Brandt", "5f0000000000000000000005"],
  ["Priya Nair", "5f0000000000000000000006"],
  ["Yuki Tanaka", "5f0000000000000000000007"],
  ["Omar Haddad", "5f0000000000000000000008"],
  ["Zoë Lindqvist", "5f0000000000000000000009"],
  ["Ben Carter", "5f0000000000000000000010"],
];
const gone: [name: string, uid: string][] = [
  ["Lena Petrov", "5f0000000000000000000011"],
  ["", "5f0000000000000000000012"],
];

/** name, owner, days until the end (null: never), days since it was made, description, flags, revoked */
type Seed = [string, string, number | null, number, string?, Flag[]?, boolean?];

const seeds: Seed[] = [
  [
    "ci-prod",
    "Jane Doe",
    4.7,
    25,
    "GitHub Actions, deploys of the payment clusters",
    ["inKeychain"],
  ],
  ["nightly-backup", "Ana Ruiz", 8.6, 81, "Velero on the backup host"],
  ["terraform-staging", "Jane Doe", 11.4, 18, "Terraform Cloud, workspace staging", ["inKeychain"]],
  ["edge-registration", "Priya Nair", 13.2, 16, "Hosts in the stores register with it"],
  ["edge-provisioner", "Mikko Korhonen", 23.5, 6, "Ansible, edge sites"],
  ["palette-keys on lark", "Jane Doe", 25.4, 4, "Made by Palette Keys", ["inKeychain", "signsIn"]],
  ["grafana-reader", "Sam Okafor", 40.4, 49, "Dashboards"],
  ["vmo-migration", "Lena Petrov", 62.2, 27, "", ["ownerGone"]],
  ["registry-sync", "Ana Ruiz", 87.6, 2, "Mirrors packs into the air gap"],
  ["legacy-jenkins", "Tomás Brandt", null, 911, "Nobody dares to touch it", ["neverExpires"]],
  ["demo-day", "Sam Okafor", -2.3, 9, "Stage demo"],
  ["poc-aks", "Mikko Korhonen", -18.4, 48, ""],
  ["hackathon", "Yuki Tanaka", -40.1, 47, "Summer hackathon"],
  ["leaked-in-slack", "Jane Doe", 50.7, 39, "Pasted into #payments by mistake", [], true],
  ["old-ci", "Lena Petrov", 6.5, 84, "Before the move to Actions", ["ownerGone"], true],
  ["contractor-tmp", "", 139.6, 225, "", ["ownerGone"], true],
  ["load-test", "Priya Nair", 20.2, 70, "k6", [], true],
  ["spare-laptop", "Zoë Lindqvist", 33.9, 56, "", [], true],
  ["argo-prod", "Ana Ruiz", 19.5, 71, "Argo CD"],
  ["argo-staging", "Ana Ruiz", 21.5, 69, "Argo CD"],
  ["atlantis", "Jane Doe", 58.1, 32, "Plans on pull requests", ["inKeychain"]],
  ["audit-export", "Omar Haddad", 29.9, 1, "Weekly export of the audit trail"],
  ["backstage-catalog", "Priya Nair", 44.2, 46, "Cluster pages"],
  ["billing-report", "Ben Carter", 70.3, 20, "Monthly cost split"],
  ["cluster-janitor", "Mikko Korhonen", 35.5, 55, "Deletes clusters older than their label"],
  ["crossplane-eu", "Tomás Brandt", 51.2, 39, "Provider spectrocloud"],
  ["crossplane-us", "Tomás Brandt", 52.2, 38, "Provider spectrocloud"],
  ["datadog-agent", "Sam Okafor", 66.6, 24, "Events"],
  ["dev-jane", "Jane Doe", 27.3, 3, "My shell", ["inKeychain"]],
  ["drift-detector", "Yuki Tanaka", 17.7, 73, "Compares profiles with git"],
  ["e2e-tests", "Zoë Lindqvist", 15.4, 15, "Nightly pipeline"],
  ["gitops-bridge", "Omar Haddad", 80.2, 10, "Flux"],
  ["image-builder", "Ben Carter", 38.8, 52, "Packer"],
  ["inventory-sync", "Priya Nair", 47.1, 43, "CMDB"],
  ["jira-bridge", "Ana Ruiz", 75.9, 15, "Opens tickets for failed repaves"],
  ["renovate", "Jane Doe", 84.2, 6, "Pack updates", ["inKeychain"]],
  ["status-page", "Omar Haddad", 90.4, 0.2, "Public status"],
  ["vault-broker", "Zoë Lindqvist", null, 420, "Break glass", ["neverExpires"]],
];

function statusOf(end: number | null, revoked: boolean): Status {
  if (revoked) return "revoked";
  if (end === null) return "active";
  return end <= 0 ? "expired" : end <= 14 ? "expiring" : "active";
}

function uidOf(index: number): string {
  const head = (0x66e844c4 + index * 7919).toString(16);
  return index === 0
    ? "66e844c44bab2337f20c7471"
    : `${head}4bab2337${(index * 104_729).toString(16).padStart(8, "0")}`;
}

function email(name: string): string | null {
  if (name === "") return null;
  const plain = name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(" ", ".");
  return `${plain}@acme.example`;
}

function keyOf(
  [name, owner, end, age, description = "", flags = [], revoked = false]: Seed,
  index: number,
): KeyView {
  const [, ownerUid] = [...people, ...gone].find(([person]) => person === owner) ?? ["", ""];
  const isGone = flags.includes("ownerGone");
  return {
    uid: uidOf(index),
    name,
    description,
    ownerUid,
    ownerName: owner,
    ownerEmail: isGone ? null : email(owner),
    ownerState: isGone ? "gone" : "active",
    madeBy: name === "status-page" ? "Jane Doe" : null,
    mine: owner === "Jane Doe",
    created: NOW - age * DAY,
    modified: NOW - (age / 3) * DAY,
    expires: end === null ? null : NOW + end * DAY,
    status: statusOf(end, revoked),
    flags,
    may: { update: true, delete: true },
    pair: null,
  };
}

/** The 38 keys of the comp, or any number of invented ones. */
export function tenantKeys(size?: number): KeyView[] {
  const made = seeds.map(keyOf);
  if (size === undefined) return made;
  return Array.from({ length: size }, (_, index) => {
    const [name, owner, end, age, description, flags, revoked] = seeds[
      index % seeds.length
    ] as Seed;
    const turn = Math.floor(index / seeds.length);
    const shifted = end === null ? null : end + (turn % 97) - 20;
    const mine = flags?.filter((flag) => flag !== "signsIn" || turn === 0);
    return keyOf(
      [
        turn === 0 ? name : `${name}-${turn}`,
        owner,
        shifted,
        age + turn,
        description,
        mine,
        revoked,
      ],
      index,
    );
  });
}

/** The people a key may be made for. */
export function tenantPeople(keys: readonly KeyView[]): PersonView[] {
  return people.map(([name, uid]) => ({
    uid,
    name,
    email: email(name) ?? "",
    keys: keys.filter((key) => key.ownerUid === uid).length,
  }));
}

/** What an owner may do, role by role. Pure. */
import type { KeyDetailsView } from "../ipc";

/** A role with what it allows, or several of which nothing more is known. */
export interface RoleLine {
  names: string;
  /** "May create and edit keys"; none: not known. */
  allows: string | null;
}

/** Each role once: those that say what they allow on lines of their own, the others together. */
export function roleLines({ roles, owner }: Pick<KeyDetailsView, "roles" | "owner">): RoleLine[] {
  const allows = new Map(owner?.roles.map((role) => [role.name, role.allows]));
  const said = (name: string) => allows.get(name) ?? null;
  const plain = roles?.filter((name) => said(name) === null) ?? [];
  return [
    ...(roles ?? []).flatMap((names) => {
      const words = said(names);
      return words === null
        ? []
        : [{ names, allows: words.slice(0, 1).toUpperCase() + words.slice(1) }];
    }),
    ...(plain.length > 0 ? [{ names: plain.join(", "), allows: null }] : []),
  ];
}

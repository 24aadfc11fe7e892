import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ErrorView, Settings } from "../ipc";
import { NUMBERS, readDays, readNumber, SettingsForm } from "./settingsForm.svelte";

let settings: Settings;
let failure: ErrorView | null;
const save = vi.fn(async (next: Settings) => {
  if (!failure) settings = next;
  return failure;
});

beforeEach(() => {
  save.mockClear();
  failure = null;
  settings = {
    appearance: "system",
    clipboardSeconds: 30,
    defaultExpirationDays: 30,
    leadDays: 14,
    longestLifeDays: null,
    refreshMinutes: 15,
    lockAfterMinutes: null,
    startAtLogin: false,
    closeToTray: true,
    notices: true,
    noticeDays: [30, 14, 7, 3, 1],
    weeklyDigest: true,
    changeNotices: false,
    policyPath: null,
    severities: {},
    renewSignInKey: true,
    hiddenColumns: [],
    savedViews: [],
  };
});

const form = () => new SettingsForm(() => settings, save);

describe("a number", () => {
  it.each([
    ["30", { value: 30 }],
    [" 1 ", { value: 1 }],
    ["3650", { value: 3650 }],
  ])("%j is taken", (typed, read) => {
    expect(readNumber(typed, NUMBERS.defaultExpirationDays)).toEqual(read);
  });

  it.each(["", "0", "3651", "-5", "1.5", "1e3", "0x10", "ten", "٣"])("%j is refused", (typed) => {
    expect(readNumber(typed, NUMBERS.defaultExpirationDays)).toEqual({
      error: "Type a whole number of days from 1 to 3650.",
    });
  });

  it("may be empty only where that means something", () => {
    expect(readNumber("", NUMBERS.longestLifeDays)).toEqual({ value: null });
  });
});

describe("the days before a key's end", () => {
  it.each([
    ["30, 14, 7, 3, 1", [30, 14, 7, 3, 1]],
    ["1 3;7", [7, 3, 1]],
    ["7, 7, 365", [365, 7]],
    [" ", []],
  ])("%j is taken, in its order and each once", (typed, value) => {
    expect(readDays(typed)).toEqual({ value });
  });

  it.each(["0", "366", "7, ten", "-1", "1.5", "1e2", "7,,x"])("%j is refused", (typed) => {
    expect(readDays(typed)).toEqual({
      error: "Type whole numbers of days from 1 to 365, with commas between.",
    });
  });

  it("are ten at most", () => {
    expect(readDays("1,2,3,4,5,6,7,8,9,10,11")).toEqual({ error: "At most 10 of them." });
    expect(readDays("1,2,3,4,5,6,7,8,9,10,10")).toHaveProperty("value");
  });

  it("are saved once they are right", async () => {
    const shown = form();
    expect(shown.typedDays).toBe("30, 14, 7, 3, 1");
    shown.typedDays = "30, x";
    await shown.setDays();
    expect(shown.errors.noticeDays).toContain("from 1 to 365");
    expect(save).not.toHaveBeenCalled();
    shown.typedDays = "2 5";
    await shown.setDays();
    expect(save).toHaveBeenCalledWith({ ...settings, noticeDays: [5, 2] });
    expect([shown.typedDays, shown.saved]).toEqual(["5, 2", "noticeDays"]);
    failure = { code: "settingInvalid", message: "Not that.", details: null };
    shown.typedDays = "9";
    await shown.setDays();
    expect(shown.errors.noticeDays).toBe("Not that.");
  });
});

describe("the form", () => {
  it("saves what is on or off", async () => {
    await form().setFlag("startAtLogin", true);
    expect(save).toHaveBeenCalledWith(expect.objectContaining({ startAtLogin: true }));
    expect(settings.startAtLogin).toBe(true);
  });

  it("saves one change at once and ticks it", async () => {
    const shown = form();
    shown.typed.leadDays = "21";
    await shown.setNumber("leadDays");
    expect(save).toHaveBeenCalledWith({ ...settings, leadDays: 21 });
    expect(shown.saved).toBe("leadDays");
  });

  it("saves nothing that is out of range, and nothing twice", async () => {
    const shown = form();
    shown.typed.clipboardSeconds = "5";
    await shown.setNumber("clipboardSeconds");
    expect(shown.errors.clipboardSeconds).toContain("from 10 to 300");
    shown.typed.clipboardSeconds = "30";
    await shown.setNumber("clipboardSeconds");
    expect(shown.errors.clipboardSeconds).toBeUndefined();
    expect(save).not.toHaveBeenCalled();
  });

  it("keeps the default within the longest life", async () => {
    const shown = form();
    shown.typed.longestLifeDays = "20";
    await shown.setNumber("longestLifeDays");
    expect(shown.errors.longestLifeDays).toContain("The default expiration is 30 days");
    settings = { ...settings, longestLifeDays: 60 };
    shown.typed.defaultExpirationDays = "90";
    await shown.setNumber("defaultExpirationDays");
    expect(shown.errors.defaultExpirationDays).toBe("The longest allowed life is 60 days.");
    expect(save).not.toHaveBeenCalled();
  });

  it("says at the field what core refused", async () => {
    failure = { code: "settingInvalid", message: "Not that.", details: null };
    const shown = form();
    shown.typed.refreshMinutes = "20";
    await shown.setNumber("refreshMinutes");
    expect(shown.errors.refreshMinutes).toBe("Not that.");
    failure = { code: "notRecognised", message: "Not you.", details: null };
    shown.typed.lockAfterMinutes = "5";
    await shown.setNumber("lockAfterMinutes");
    expect(shown.errors.lockAfterMinutes).toBe("Not you.");
    failure = { code: "storeFailed", message: "Disk full.", details: null };
    await shown.setAppearance("dark");
    expect(shown.problem?.code).toBe("storeFailed");
  });
});

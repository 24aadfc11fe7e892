import type { ErrorView } from "../ipc";

/** A CA certificate that was chosen. */
export interface Certificate {
  fileName: string;
  pem: string;
}

/** Reads the file that was chosen as CA certificate, or says why it is none. */
export async function readCertificate(file: File): Promise<Certificate | ErrorView> {
  // A bundle of every authority in the world is under 1 MB.
  const pem = file.size > 1_000_000 ? "" : await file.text();
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return { fileName: file.name, pem };
  return {
    code: "certificateInvalid",
    message: `${file.name} is not a certificate in PEM format. It starts with "-----BEGIN CERTIFICATE-----".`,
    details: null,
  };
}

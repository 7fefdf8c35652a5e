/** What a SIF says of itself. Read from the image, or from the config blob that a push left beside it. */

/** Every text as it is in the image; an absent part is undefined, an empty one is "". */
export interface ImageMetadata {
  /** Go's name (amd64, arm64, ...); undefined when the header says "unknown". */
  readonly architecture: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** File name in the image -> content, as `singularity inspect --environment` shows it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly runscript: string | undefined;
  readonly test: string | undefined;
  readonly help: string | undefined;
  readonly deffile: string | undefined;
  readonly startscript: string | undefined;
  /** At least one signature object is present. Says nothing on who signed. */
  readonly signed: boolean;
  readonly encrypted: boolean;
  /** `sif` for a native image, `oci-sif` for an OCI image in a SIF. */
  readonly format: "sif" | "oci-sif";
}

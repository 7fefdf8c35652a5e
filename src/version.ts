/** What the build puts in; running from source there is none of it. */
declare const SREGISTRY_VERSION: string | undefined;
declare const SREGISTRY_FORM: Form | undefined;

/** As npm installs it; one file for any Node (.mjs); one executable with Node in it. */
export type Form = "package" | "file" | "executable";

/** The package's version. */
export const VERSION: string = typeof SREGISTRY_VERSION === "string" ? SREGISTRY_VERSION : "0.0.0-source";

export const FORM: Form = typeof SREGISTRY_FORM === "string" ? SREGISTRY_FORM : "package";

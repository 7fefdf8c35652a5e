/** The package's version, put in by the build; running from source there is none. */
declare const SREGISTRY_VERSION: string | undefined;

export const VERSION: string = typeof SREGISTRY_VERSION === "string" ? SREGISTRY_VERSION : "0.0.0-source";

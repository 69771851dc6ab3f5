/** Types for a part of the driver that it does not publish. Only what `bson-files.ts` needs. */
declare module 'mongodb/lib/cmap/commands.js' {
  /** Documents that are sent next to a command, as they are. */
  export class DocumentSequence {
    constructor(field: string);
    /** Adds a document and its BSON, which is what is sent. Returns the size of the sequence so far. */
    push(document: object, bson: Uint8Array): number;
  }
}

/**
 * Types for one connection of the driver's pool, which the driver does not publish. Only what
 * `observed-connection.ts` needs.
 */
declare module 'mongodb/lib/cmap/connection.js' {
  import type { Document, MongoDBNamespace } from 'mongodb';

  export class Connection {
    constructor(stream: object, options: object);
    /** Whether the handshake is complete. */
    readonly established: boolean;
    /**
     * Builds the message for a command as it will be sent, including session, transaction and cluster time.
     */
    prepareCommand(database: string, command: Document, options: object): { readonly command?: Document };
    command(
      namespace: MongoDBNamespace,
      command: Document,
      options?: object,
      responseType?: unknown,
    ): Promise<unknown>;
  }
}

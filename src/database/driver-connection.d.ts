/** One connection of the driver's pool, of which the driver publishes no types: as much of it as `observed-connection.ts` needs. */
declare module 'mongodb/lib/cmap/connection.js' {
  import type { Document, MongoDBNamespace } from 'mongodb';

  export class Connection {
    constructor(stream: object, options: object);
    /** Whether the handshake is done. */
    readonly established: boolean;
    /** Makes the message of a command as it will be sent: with session, transaction and cluster time. */
    prepareCommand(database: string, command: Document, options: object): { readonly command?: Document };
    command(
      namespace: MongoDBNamespace,
      command: Document,
      options?: object,
      responseType?: unknown,
    ): Promise<unknown>;
  }
}

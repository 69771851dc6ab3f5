import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { ArchiveFileMissingError, type ArchiveStore } from './archive-store.js';

export interface S3Options {
  bucket: string;
  /** Begins the name of every object; empty, or ends with a slash. */
  prefix: string;
  region: string;
  /** Of a service other than Amazon's. */
  endpoint?: string | undefined;
  /** Absent: the credentials that the environment provides, such as a role of the machine. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
}

/** Part of an upload that is in memory, bytes. */
const PART_BYTES = 8 * 1024 * 1024;

const sdk = () => import('@aws-sdk/client-s3');

/** Keeps archive files as objects of a bucket in Amazon S3 or a service with the same API. */
export class S3ArchiveStore implements ArchiveStore {
  readonly location: string;
  private client: Promise<S3Client> | undefined;

  constructor(private readonly options: S3Options) {
    const { endpoint, bucket, prefix } = options;
    this.location = `s3://${bucket}/${prefix}${endpoint === undefined ? '' : ` of ${endpoint}`}`;
  }

  /** An upload becomes visible as a whole at its end; an interrupted one leaves parts that the bucket's rules delete. */
  async write(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { Upload } = await import('@aws-sdk/lib-storage');
    await new Upload({
      client: await this.connected(),
      params: {
        Bucket: this.options.bucket,
        Key: this.keyOf(name),
        Body: Readable.from(content, { objectMode: false }),
      },
      partSize: PART_BYTES,
      queueSize: 1,
    }).done();
  }

  async *read(name: string): AsyncGenerator<Uint8Array> {
    const { GetObjectCommand, NoSuchKey } = await sdk();
    const client = await this.connected();
    try {
      const { Body } = await client.send(
        new GetObjectCommand({ Bucket: this.options.bucket, Key: this.keyOf(name) }),
      );
      for await (const chunk of Body as Readable) yield chunk as Uint8Array;
    } catch (error) {
      throw error instanceof NoSuchKey ? new ArchiveFileMissingError(name, this.location) : error;
    }
  }

  async *list(prefix: string): AsyncGenerator<string> {
    const { paginateListObjectsV2 } = await sdk();
    const client = await this.connected();
    const query = { Bucket: this.options.bucket, Prefix: this.keyOf(prefix) };
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, query))
      for (const { Key } of Contents) if (Key !== undefined) yield Key.slice(this.options.prefix.length);
  }

  async delete(name: string): Promise<void> {
    const { DeleteObjectCommand } = await sdk();
    const client = await this.connected();
    await client.send(new DeleteObjectCommand({ Bucket: this.options.bucket, Key: this.keyOf(name) }));
  }

  private keyOf(name: string): string {
    return `${this.options.prefix}${name}`;
  }

  /** The SDK is loaded only if it is used, because that takes a while. */
  private connected(): Promise<S3Client> {
    this.client ??= sdk().then(
      ({ S3Client: Client }) =>
        new Client({
          region: this.options.region,
          ...(this.options.endpoint !== undefined && {
            endpoint: this.options.endpoint,
            // Other services rarely have a host name for each bucket.
            forcePathStyle: true,
          }),
          ...(this.options.credentials && { credentials: this.options.credentials }),
        }),
    );
    return this.client;
  }
}

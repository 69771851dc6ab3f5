import { createHmac, randomBytes } from 'node:crypto';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { isSealed, SecretBox, UnreadableSecretError } from '../../common/index.js';
import { StartupError } from '../../config/index.js';
import type { ErasedKind } from '../../tenant/index.js';
import { ErasureKeyRepository } from './erasure-key.repository.js';

const KEY_BYTES = 32;

/** What an encrypted key is bound to. */
const CONTEXT = JSON.stringify(['erasure', 'key']);

/**
 * Keyed hashes of ids, the only thing that is kept of erased participants. Without the key, which is random and the
 * same for all processes of a deployment, nobody can find out whether a given id was erased.
 */
@Injectable()
export class ParticipantHashes implements OnApplicationBootstrap {
  private key: Promise<Buffer> | undefined;

  constructor(
    private readonly keys: ErasureKeyRepository,
    private readonly box: SecretBox,
  ) {}

  /**
   * Makes the key at the first start, so that every backup has it. Encrypts the key if it is not encrypted yet, or with an earlier key of SECRETS_KEY.
   * @throws StartupError if it is encrypted with a key that SECRETS_KEY lacks
   */
  async onApplicationBootstrap(): Promise<void> {
    const stored = await this.present();
    const { keyId } = this.box;
    try {
      const key = this.box.open(stored, CONTEXT);
      const sealedBy = isSealed(stored) ? stored.sealedBy : undefined;
      if (keyId !== undefined && sealedBy !== keyId) await this.keys.reseal(this.sealed(key));
    } catch (error) {
      if (!(error instanceof UnreadableSecretError)) throw error;
      throw new StartupError(
        `The key of the hashes of erased participants is encrypted with the key "${error.keyId}", which is not in SECRETS_KEY. Add that key to SECRETS_KEY (after the current one, separated by a comma).`,
      );
    }
  }

  /** HMAC-SHA-256 of the participant, as base64url. */
  of(tenantId: string, participantId: string): Promise<string> {
    return this.hash([tenantId, participantId]);
  }

  /** HMAC-SHA-256 of the externalId of a message or transcript. Never equal to the hash of a participant. */
  ofErasedId(tenantId: string, kind: ErasedKind, id: string): Promise<string> {
    return this.hash([tenantId, kind, id]);
  }

  private async hash(parts: readonly string[]): Promise<string> {
    this.key ??= this.load().catch((error: unknown) => {
      this.key = undefined;
      throw error;
    });
    // No part contains NUL, so different parts never have the same text.
    return createHmac('sha256', await this.key)
      .update(parts.join('\0'))
      .digest('base64url');
  }

  private async load(): Promise<Buffer> {
    const key = Buffer.from(String(this.box.open(await this.present(), CONTEXT)), 'base64');
    if (key.length !== KEY_BYTES)
      throw new Error('the stored key of the hashes of participants is not valid');
    return key;
  }

  /** The stored key, which is made if there is none. */
  private async present(): Promise<unknown> {
    const stored = await this.keys.find();
    if (stored) return stored.key;
    await this.keys.insert(this.sealed(randomBytes(KEY_BYTES).toString('base64')), new Date());
    return (await this.keys.find())?.key;
  }

  private sealed(key: unknown): NonNullable<Awaited<ReturnType<ErasureKeyRepository['find']>>>['key'] {
    const sealed = this.box.seal(key, CONTEXT);
    return isSealed(sealed) ? sealed : String(sealed);
  }
}

import { z } from 'zod';
import { MAX_ATTACHMENTS, MAX_CONTENT_BYTES, MAX_METADATA_BYTES } from './message-content.js';
import { exactUrl, jsonObject, nullIsAbsent } from '../http/index.js';

/** URL schemes that could be dangerous to a client that opens an attachment. */
const forbiddenSchemes = new Set(['javascript:', 'vbscript:', 'data:', 'file:', 'blob:']);

const attachmentUrl = exactUrl(
  'must be an absolute URL without control characters, or white space at its ends',
).refine((text) => !forbiddenSchemes.has(new URL(text).protocol), {
  message: 'must not be a javascript, vbscript, data, file or blob URL',
});

export const attachment = nullIsAbsent(
  z.strictObject({
    type: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must be a lower-case word of up to 32 characters')
      .meta({ example: 'image' }),
    url: attachmentUrl.meta({ example: 'https://cdn.example.com/menu.jpg' }),
    name: z.string().min(1).max(255).optional(),
    mime: z.string().min(1).max(127).optional().meta({ example: 'image/jpeg' }),
    size: z.int().min(0).optional().meta({ description: 'Bytes' }),
  }),
);

export const attachments = z
  .array(attachment)
  .max(MAX_ATTACHMENTS, `must contain at most ${MAX_ATTACHMENTS} attachments`);

const contentTooLong = `must be at most ${MAX_CONTENT_BYTES} bytes of UTF-8`;

export const content = z
  .string()
  .max(MAX_CONTENT_BYTES, { error: contentTooLong, abort: true })
  .refine((text) => Buffer.byteLength(text) <= MAX_CONTENT_BYTES, { message: contentTooLong })
  .refine((text) => !/\p{Surrogate}/u.test(text), { message: 'must be well-formed Unicode text' })
  .meta({
    description: `Text of at most ${MAX_CONTENT_BYTES} bytes of UTF-8`,
    example: 'A table for 4, please',
  });

export const metadata = jsonObject(MAX_METADATA_BYTES).meta({
  description: `Any JSON object of at most ${MAX_METADATA_BYTES} bytes`,
});

export const externalId = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\p{Surrogate}]+$/u, 'must not contain control characters')
  .meta({
    description: "The provider's or sender's own id of the message; unique for a participant on a channel",
    example: 'wamid.42',
  });

export const channel = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,31}$/,
    'must be a lower-case word of up to 32 characters, such as whatsapp or web',
  )
  .meta({ example: 'whatsapp' });

/** A message must have text or attachments. */
export const isNotEmpty = (message: { content: string; attachments?: unknown[] | undefined }): boolean =>
  message.content !== '' || (message.attachments?.length ?? 0) > 0;

/** Must be copied for zod, which changes the object that it is given. */
export const emptyMessage = { path: ['content'], message: 'must not be empty if there are no attachments' };

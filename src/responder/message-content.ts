/** Largest text of one message, bytes of UTF-8. */
export const MAX_CONTENT_BYTES = 64 * 1024;
export const MAX_ATTACHMENTS = 20;
/** Largest metadata of a conversation or message, bytes of JSON. */
export const MAX_METADATA_BYTES = 8 * 1024;

export type MessageRole = 'user' | 'assistant' | 'system' | 'tool';

/** What a message brings along besides its text. */
export interface Attachment {
  type: string;
  url: string;
  name?: string;
  mime?: string;
  /** Bytes. */
  size?: number;
}

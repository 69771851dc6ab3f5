/** Maximum size of a message's text, bytes of UTF-8. */
export const MAX_CONTENT_BYTES = 64 * 1024;
export const MAX_ATTACHMENTS = 20;
/** Maximum size of the metadata of a conversation or message, bytes of JSON. */
export const MAX_METADATA_BYTES = 8 * 1024;

export type MessageRole = 'user' | 'assistant' | 'system' | 'tool';

/** An attachment of a message. */
export interface Attachment {
  type: string;
  url: string;
  name?: string;
  mime?: string;
  /** Bytes. */
  size?: number;
}

/** Largest text of one message, bytes of UTF-8. */
export const MAX_CONTENT_BYTES = 64 * 1024;
export const MAX_MESSAGES_PER_APPEND = 100;
export const MAX_ATTACHMENTS = 20;
/** Largest metadata of a conversation or message, bytes of JSON. */
export const MAX_METADATA_BYTES = 8 * 1024;

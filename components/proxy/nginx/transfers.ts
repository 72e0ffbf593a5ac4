export interface Transfers {
  /** The largest body of one request, as nginx writes sizes: `10g`. Default: any. */
  readonly maxUploadSize?: string | undefined;
}

/** Time limits for clients, and how data is transferred. */
export function renderTransfers({ maxUploadSize = "0" }: Transfers): string {
  return `\
  # A client has to ask at once; once it is signed in, it may be slow, and stall for some minutes.
  client_header_timeout 15s;
  client_body_timeout 300s;
  send_timeout 300s;
  reset_timedout_connection on;
  large_client_header_buffers 4 8k;
  client_max_body_size ${maxUploadSize};
  client_body_buffer_size 256k;
  # A connection that is idle when another configuration comes is not closed under the client that just begins to ask;
  # whoever loads the configuration waits for longer than this.
  keepalive_timeout 75s;
  keepalive_min_timeout 2s;

  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
`;
}

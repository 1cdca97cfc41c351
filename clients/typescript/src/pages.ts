import type { CallOptions } from "@connectrpc/connect";

/** What a list's answer lists. */
export type ItemOf<Response> = {
  [Key in keyof Response as Key extends `$${string}` ? never : Key]-?: Response[Key] extends readonly (infer Item)[] ? Item : never;
} extends infer Lists
  ? Lists[keyof Lists]
  : never;

/**
 * Goes through all items of a list, page by page; the next page is asked for when it is needed. `page_size` in the request is the
 * size of the pages, `page_token` where to begin.
 *
 *     for await (const push of pages(susul.pushes.listPushes, { parent: "apps/demo" })) …
 */
export function pages<Request extends object, Response extends object>(
  list: (request: Request, options?: CallOptions) => Promise<Response>,
  request: Request,
  options?: CallOptions,
): AsyncGenerator<ItemOf<Response>, void, undefined> {
  return walk(list, request, options) as AsyncGenerator<ItemOf<Response>, void, undefined>;
}

async function* walk<Request extends object>(
  list: (request: Request, options?: CallOptions) => Promise<object>,
  request: Request,
  options?: CallOptions,
): AsyncGenerator<unknown, void, undefined> {
  for (let next: Request | undefined = request; next; ) {
    const response = await list(next, options);
    yield* itemsOf(response);
    const token = "nextPageToken" in response && response.nextPageToken;
    next = token ? { ...request, pageToken: token } : undefined;
  }
}

/** Reads the one list that an answer has. */
function itemsOf(response: object): unknown[] {
  const lists = Object.entries(response).filter(([name, value]) => !name.startsWith("$") && Array.isArray(value));
  const [only, ...others] = lists;
  if (!only || others.length > 0) {
    throw new TypeError("pages() goes through calls whose answer has one list");
  }
  return only[1] as unknown[];
}

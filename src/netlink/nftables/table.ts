import { Reader, type Writer } from "../codec.ts";
import { type Dump, NLM_F_CREATE, type Query, type Request } from "../message.ts";
import { type Family, familyNamed, HEADER, question, request, type TableId } from "./batch.ts";
import { decodeComment, writeComment } from "./comment.ts";

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_DELTABLE = 2;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_USERDATA = 6;

export interface Table extends TableId {
  readonly comment?: string;
}

/** `nft add table`: one that is there already is fine, and keeps its comment. */
export function addTable({ family, name, comment }: Table): Request {
  return request(NFT_MSG_NEWTABLE, NLM_F_CREATE, family, `add table ${family} ${name}`, (into) => {
    into.textAttribute(NFTA_TABLE_NAME, name).be32Attribute(NFTA_TABLE_FLAGS, 0);
    writeComment(into, NFTA_TABLE_USERDATA, comment);
  });
}

/** `nft delete table`, with all that is in it. ENOENT if there is none. */
export function deleteTable({ family, name }: TableId): Request {
  return request(NFT_MSG_DELTABLE, 0, family, `delete table ${family} ${name}`, (into) => {
    into.textAttribute(NFTA_TABLE_NAME, name);
  });
}

/** For `NetlinkSocket.query`: undefined if there is no such table. */
export function getTable({ family, name }: TableId): Query<Table> {
  const write = (into: Writer) => {
    into.textAttribute(NFTA_TABLE_NAME, name);
  };
  return question(NFT_MSG_GETTABLE, family, `read table ${family} ${name}`, write, decodeTable);
}

/** `nft list tables` */
export function listTables(family?: Family): Dump<Table> {
  return question(NFT_MSG_GETTABLE, family, "list tables", () => {}, decodeTable);
}

function decodeTable(body: Uint8Array): Table {
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  const comment = decodeComment(attributes.get(NFTA_TABLE_USERDATA));
  return {
    family: familyNamed(reader.u8()),
    name: attributes.get(NFTA_TABLE_NAME)?.text() ?? "",
    ...(comment !== undefined && { comment }),
  };
}

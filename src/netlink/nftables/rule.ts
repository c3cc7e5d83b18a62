import { Reader, type Writer } from "../codec.ts";
import { type Dump, mentions, NLM_F_APPEND, NLM_F_CREATE, type Request } from "../message.ts";
import { familyNamed, HEADER, question, request, type TableId } from "./batch.ts";
import { type ChainId, describe } from "./chain.ts";
import { decodeComment, writeComment } from "./comment.ts";
import { decodeExpressions, type Expression, type ListedExpression } from "./expressions.ts";

const NFT_MSG_NEWRULE = 6;
const NFT_MSG_GETRULE = 7;
const NFT_MSG_DELRULE = 8;

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_HANDLE = 3;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_RULE_POSITION = 6;
const NFTA_RULE_USERDATA = 7;

/** The kernel's number for a rule, unique in its table. */
export type RuleHandle = number;

export interface Rule {
  readonly table: TableId;
  readonly chain: string;
  /** In their order: what must match, then what becomes of the packet. */
  readonly expressions: readonly Expression[];
  readonly comment?: string;
}

export interface ListedRule {
  readonly table: TableId;
  readonly chain: string;
  readonly handle: RuleHandle;
  readonly expressions: readonly ListedExpression[];
  readonly comment?: string;
}

/** `nft add rule`: behind the rules that the chain has or, with a `position`, right behind that one. */
export function addRule(rule: Rule, position?: RuleHandle): Request {
  return newRule(rule, NLM_F_CREATE | NLM_F_APPEND, position);
}

/** `nft insert rule`: before the rules that the chain has. */
export function insertRule(rule: Rule): Request {
  return newRule(rule, NLM_F_CREATE);
}

/** `nft delete rule`. ENOENT if it is gone. */
export function deleteRule({ table, name }: ChainId, handle: RuleHandle): Request {
  const what = `delete rule ${handle} of chain ${describe(table, name)}`;
  return request(NFT_MSG_DELRULE, 0, table.family, what, (into) => {
    into
      .textAttribute(NFTA_RULE_TABLE, table.name)
      .textAttribute(NFTA_RULE_CHAIN, name)
      .be64Attribute(NFTA_RULE_HANDLE, handle);
  });
}

/** `nft flush chain`: deletes all rules of the chain. ENOENT if there is no such chain. */
export function flushChain({ table, name }: ChainId): Request {
  return request(NFT_MSG_DELRULE, 0, table.family, `flush chain ${describe(table, name)}`, (into) => {
    into.textAttribute(NFTA_RULE_TABLE, table.name).textAttribute(NFTA_RULE_CHAIN, name);
  });
}

/**
 * `nft list table` or, with `chain`, `nft list chain`: the rules in their order; none if there is no such table.
 *
 * `mention` (ASCII): only the rules that contain this text, as a name or in the comment. The others are not decoded:
 * a chain may have thousands, and each attachment's removal reads them all.
 */
export function listRules(table: TableId, chain?: string, mention?: string): Dump<ListedRule> {
  const what = `list the rules of ${describe(table, chain ?? "")}`.trimEnd();
  const write = (into: Writer) => {
    into.textAttribute(NFTA_RULE_TABLE, table.name);
    if (chain !== undefined) into.textAttribute(NFTA_RULE_CHAIN, chain);
  };
  const decode = (body: Uint8Array) =>
    mention === undefined || mentions(body, mention) ? decodeRule(body) : undefined;
  return { ...question(NFT_MSG_GETRULE, table.family, what, write, decode), mention };
}

function newRule(
  { table, chain, expressions, comment }: Rule,
  flags: number,
  position?: RuleHandle,
): Request {
  return request(
    NFT_MSG_NEWRULE,
    flags,
    table.family,
    `add rule to chain ${describe(table, chain)}`,
    (into) => {
      into
        .textAttribute(NFTA_RULE_TABLE, table.name)
        .textAttribute(NFTA_RULE_CHAIN, chain)
        .nest(NFTA_RULE_EXPRESSIONS, (list) => {
          for (const append of expressions) append(list);
        });
      if (position !== undefined) into.be64Attribute(NFTA_RULE_POSITION, position);
      writeComment(into, NFTA_RULE_USERDATA, comment);
    },
  );
}

function decodeRule(body: Uint8Array): ListedRule {
  const reader = new Reader(body);
  const attributes = reader.attributes(HEADER);
  const comment = decodeComment(attributes.get(NFTA_RULE_USERDATA));
  return {
    table: { family: familyNamed(reader.u8()), name: attributes.get(NFTA_RULE_TABLE)?.text() ?? "" },
    chain: attributes.get(NFTA_RULE_CHAIN)?.text() ?? "",
    handle: attributes.get(NFTA_RULE_HANDLE)?.be64() ?? 0,
    expressions: decodeExpressions(attributes.get(NFTA_RULE_EXPRESSIONS)),
    ...(comment !== undefined && { comment }),
  };
}

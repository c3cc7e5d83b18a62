import type { Ip } from "../../address/ip.ts";
import { Writer } from "../../netlink/codec.ts";
import { InterfaceGone } from "../container-interface.ts";
import type { SourceContext } from "../source.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { encodeAssociation } from "./association.ts";
import { type Identity, identityOf } from "./duid.ts";
import { Exchange } from "./exchange.ts";
import { encodeMessage, MessageType, Option, type Options } from "./message.ts";
import { fraction, type Pattern } from "./retransmission.ts";
import type { Channel, Transport } from "./transport.ts";

/** What a client says of itself in a message. */
interface Statement {
  readonly type: number;
  /** The DUID of the one server that is meant. */
  readonly server?: Uint8Array | undefined;
  /** The address that it is about. */
  readonly address?: Ip | undefined;
}

/** A message that is to be answered. */
export interface Question extends Statement {
  readonly pattern: Pattern;
  /** When it is given up, on the scheduler's clock; undefined: never. */
  readonly until?: number;
  /** In milliseconds. */
  readonly delay?: number;
  /** By a message of this type. The question is repeated until another one is asked, or `quiet` called. */
  readonly answered: (answer: Answer, type: number) => void;
  readonly exhausted?: () => void;
  /** The interface, or its namespace, does not exist any more; nothing is asked any more. */
  readonly gone: (reason: string) => void;
  readonly log: (text: string) => void;
}

/** What goes with an address, and what instead of one. */
const ADDRESS_WISHES = [Option.DnsServers, Option.DomainList, Option.SolicitMaxRt];
const INFORMATION_WISHES = [
  Option.DnsServers,
  Option.DomainList,
  Option.InformationRefreshTime,
  Option.InformationMaxRt,
];

/** The DHCPv6 servers of a link as one client sees them: it asks one question at a time. */
export class Servers {
  readonly #context: SourceContext;
  readonly #transport: Transport;
  readonly #identity: Identity;
  #exchange: Exchange | undefined;

  constructor(context: SourceContext, transport: Transport) {
    this.#context = context;
    this.#transport = transport;
    this.#identity = identityOf(context.host, context.id);
  }

  /** Instead of the question before. */
  ask(question: Question): void {
    const { type, address, pattern, until, delay, answered, exhausted, gone, log } = question;
    const context = { own: address, ifName: this.#context.target.name, log };
    this.quiet();
    this.#exchange = new Exchange(
      this.#context,
      this.#transport,
      { type, options: optionsOf(question, this.#identity), pattern, until },
      {
        received: (message) => {
          const answer = readAnswer(message, this.#identity, context);
          if (answer) answered(answer, message.type);
        },
        exhausted: () => exhausted?.(),
        gone,
        log,
      },
      delay,
    );
  }

  /** Asks no more. */
  quiet(): void {
    this.#exchange?.stop();
    this.#exchange = undefined;
  }

  /** Says something once, and waits for nothing. InterfaceGone is nobody's trouble here; SysError. */
  tell(statement: Statement): void {
    this.quiet();
    const options: Options = [
      ...optionsOf(statement, this.#identity),
      [Option.ElapsedTime, new Uint8Array(2)],
    ];
    const transactionId = Math.floor(fraction(this.#context.host) * 2 ** 24);
    let channel: Channel | undefined;
    try {
      channel = this.#transport.open(() => {});
      channel?.send(encodeMessage({ type: statement.type, transactionId, options }));
    } catch (error) {
      if (!(error instanceof InterfaceGone)) throw error;
    } finally {
      channel?.close();
    }
  }
}

/** What belongs into a message of this type (RFC 8415, appendix B), but for the time that has elapsed. */
function optionsOf({ type, server, address }: Statement, { duid, iaid }: Identity): Options {
  const options: [number, Uint8Array][] = [[Option.ClientId, duid]];
  if (server !== undefined) options.push([Option.ServerId, server]);
  if (type !== MessageType.InformationRequest)
    options.push([Option.Association, encodeAssociation(iaid, address)]);
  if (type === MessageType.Solicit) options.push([Option.RapidCommit, new Uint8Array()]);
  const wishes = wishesOf(type);
  if (wishes.length > 0) options.push([Option.OptionRequest, encodeCodes(wishes)]);
  return options;
}

function wishesOf(type: number): readonly number[] {
  switch (type) {
    case MessageType.InformationRequest:
      return INFORMATION_WISHES;
    case MessageType.Confirm:
    case MessageType.Decline:
    case MessageType.Release:
      return [];
    default:
      return ADDRESS_WISHES;
  }
}

function encodeCodes(codes: readonly number[]): Uint8Array {
  const writer = new Writer(8);
  for (const code of codes) writer.be16(code);
  return writer.finish();
}

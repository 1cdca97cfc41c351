/**
 * The client of Susul, which sends push notifications and follows up on them. {@link dev.susul.client.Susul} connects to a
 * server, {@link dev.susul.client.CallbackVerifier} reads what a server posts; {@code dev.susul.v1} has the messages.
 */
package dev.susul.client;

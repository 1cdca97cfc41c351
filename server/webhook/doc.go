// Package webhook posts events to the business: the document, its signatures, and a client that goes only where it may.
//
//	row, row, … ─► document ─► X-CALLBACK-ID, webhook-signature ─► Client.Post ─► the address that was resolved is checked when dialled
package webhook

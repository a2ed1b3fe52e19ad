// Package controller turns commands on the cluster's metadata into records, has the quorum replicate them, and publishes
// the image they build.
//
// Deciding is the pure type state: it looks at an image and a command and returns records or a refusal. Controller is
// the thin loop around it: it decides against the committed image plus its own records in flight, proposes each
// command's records as one atomic entry, and answers when the entry is committed, applied and seen by all
// subscribers of this node. DESIGN.md has the details.
package controller

// Package killpoint names places where a worker may be killed for a test: between two steps that a crash must not come between
// unnoticed.
//
// An ordinary build has none of it: Pass is empty there and leaves nothing behind. A build with the tag killpoints reads MILLRACE_KILL, such
// as after-poll:3, and kills its own process with SIGKILL when it passes that point for the third time.
package killpoint

// The points, in the order in which records pass them. A config write passes the last two.
const (
	AfterPoll        = "after-poll"         // a source has polled, nothing is produced
	AfterProduce     = "after-produce"      // the records are with the client
	AfterAck         = "after-ack"          // the log has them, nobody else knows
	BeforeOffsets    = "before-offsets"     // source offsets are about to be written
	AfterOffsets     = "after-offsets"      // and are written, the task is not told
	AfterPut         = "after-put"          // a sink has its records
	PreCommit        = "pre-commit"         // it is about to say what it has safe
	BeforeSinkCommit = "before-sink-commit" // it has said so, nothing is committed
	AfterSinkCommit  = "after-sink-commit"  // the group has the offsets
	AfterConfig      = "after-config"       // a connector's configuration is written, its tasks' are not
	AmidTasks        = "amid-tasks"         // task configurations are written, their commit record is not
)

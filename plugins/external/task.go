package external

import (
	"context"

	"millrace/plugins/external/proto"
)

// task is what the tasks of sources and sinks share: a process, its own or the program's, and the life of one stream.
type task struct {
	proc    *process
	release func()
	ctx     context.Context // of the stream
	cancel  context.CancelFunc
}

// begin gets a process.
func (t *task) begin(ctx context.Context, c *class) (err error) {
	get := c.supervisor.share
	if c.program.perTask {
		get = c.supervisor.own
	}
	if t.proc, t.release, err = get(ctx, c.program); err != nil {
		return err
	}
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return nil
}

// end breaks the stream and gives the process back. It may be called again.
func (t *task) end() {
	if t.cancel != nil {
		t.cancel()
		t.release()
	}
}

func startMessage(c *class, connector string, id int, config map[string]string) *proto.Start {
	return &proto.Start{Class: c.name, Connector: connector, Task: int32(id), Config: config}
}

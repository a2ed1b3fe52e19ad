package api

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/controller"
)

// InitProducerID, versions 0 to 5 (v2 flexible, v3 the id and epoch to continue with, KIP-360, v4 PRODUCER_FENCED).
//
// An idempotent producer gets a new id each time; epoch 0. A request with a transactional id is UNSUPPORTED_VERSION:
// there are no transactions, and their other APIs are not advertised.
func (a *API) initProducerID(ctx context.Context, _ *Call, req *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp
	}
	id, err := a.ids.next(ctx, a.allocateProducerIDs)
	if err != nil {
		resp.ErrorCode = errorCode(err)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp
}

// producerIDs hands out ids from blocks that the controller gives this broker.
type producerIDs struct {
	mu    sync.Mutex
	block controller.ProducerIDs
}

func (p *producerIDs) next(ctx context.Context, allocate func(context.Context) (controller.ProducerIDs, error)) (int64, error) {
	for {
		if id, ok := p.take(); ok {
			return id, nil
		}
		block, err := allocate(ctx) // perhaps by several requests at once; the blocks that lose are not used
		if err != nil {
			return -1, err
		}
		p.mu.Lock()
		if p.block.Count == 0 {
			p.block = block
		}
		p.mu.Unlock()
	}
}

func (p *producerIDs) take() (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block.Count == 0 {
		return 0, false
	}
	id := p.block.First
	p.block.First++
	p.block.Count--
	return id, true
}

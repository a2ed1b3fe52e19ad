package transforms

import "millrace/connectors"

// plans keeps what a transform made of the schemas it saw last. Records of one source share few schemas, and nearly always
// the next record has that of the last.
type plans[P any] struct {
	last  *connectors.Schema
	plan  P
	known map[*connectors.Schema]P
}

// maxPlans bounds plans: a source that makes a new schema for each record gets no use out of them, but must not fill memory.
const maxPlans = 64

// of returns the plan for a schema, building it at the first time.
func (p *plans[P]) of(schema *connectors.Schema, build func(*connectors.Schema) (P, error)) (P, error) {
	if p.last == schema && p.known != nil {
		return p.plan, nil
	}
	plan, ok := p.known[schema]
	if !ok {
		var err error
		if plan, err = build(schema); err != nil {
			return plan, err
		}
		if p.known == nil || len(p.known) >= maxPlans {
			p.known = make(map[*connectors.Schema]P)
		}
		p.known[schema] = plan
	}
	p.last, p.plan = schema, plan
	return plan, nil
}

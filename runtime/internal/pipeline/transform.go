package pipeline

import (
	"context"
	"fmt"
	"slices"

	"millrace/connectors"
)

// A step is a transform that runs when its predicate, if any, says so.
type step struct {
	transform connectors.Transform
	sink      connectors.SinkTransform // transform, if it wants to know where a sink's record was
	class     string
	predicate connectors.Predicate
	negate    bool
}

func (p *Pipeline) addStep(config Config, alias string, predicates []string) error {
	prefix := "transforms." + alias + "."
	options := under(config.Config, prefix)
	plugin, err := config.Registry.Lookup(connectors.KindTransform, options["type"], options["plugin.version"])
	if err != nil {
		return fmt.Errorf("%stype: %w", prefix, err)
	}
	s := step{transform: plugin.NewTransform(), class: plugin.Class, negate: options["negate"] == "true"}
	name := options["predicate"]
	for _, k := range []string{"type", "plugin.version", "predicate", "negate"} {
		delete(options, k)
	}
	if err := s.transform.Configure(options); err != nil {
		return fmt.Errorf("%s%w", prefix, err)
	}
	s.sink, _ = s.transform.(connectors.SinkTransform)
	p.closers = append(p.closers, s.transform.Close)
	if name != "" {
		if !slices.Contains(predicates, name) {
			return &connectors.ConfigError{Msg: fmt.Sprintf("%spredicate: no predicate is called %s; predicates has %v", prefix, name, predicates)}
		}
		if s.predicate, err = p.predicate(config, name); err != nil {
			return err
		}
	}
	p.steps = append(p.steps, s)
	return nil
}

func (p *Pipeline) predicate(config Config, alias string) (connectors.Predicate, error) {
	prefix := "predicates." + alias + "."
	options := under(config.Config, prefix)
	plugin, err := config.Registry.Lookup(connectors.KindPredicate, options["type"], options["plugin.version"])
	if err != nil {
		return nil, fmt.Errorf("%stype: %w", prefix, err)
	}
	delete(options, "type")
	delete(options, "plugin.version")
	made := plugin.NewPredicate()
	if err := made.Configure(options); err != nil {
		return nil, fmt.Errorf("%s%w", prefix, err)
	}
	p.closers = append(p.closers, made.Close)
	return made, nil
}

// Transform applies the chain to a source's record. keep false: a transform dropped the record. A failure that is still there
// after the retries comes back with its place.
func (p *Pipeline) Transform(ctx context.Context, r *connectors.Record) (keep bool, failure *Failure) {
	return p.transform(ctx, r, nil)
}

// TransformSink is Transform for a sink's record.
func (p *Pipeline) TransformSink(ctx context.Context, r *connectors.SinkRecord) (keep bool, failure *Failure) {
	return p.transform(ctx, &r.Record, r)
}

// transform applies the chain to r, which is part of read unless that is nil.
func (p *Pipeline) transform(ctx context.Context, r *connectors.Record, read *connectors.SinkRecord) (keep bool, failure *Failure) {
	for i := range p.steps {
		s := &p.steps[i]
		keep, err := s.apply(ctx, r, read)
		if err != nil {
			if keep, err = p.applyAgain(ctx, s, r, read, err); err != nil {
				return false, &Failure{Stage: Transformation, Class: s.class, Err: err}
			}
		}
		if !keep {
			return false, nil
		}
	}
	return true, nil
}

// applyAgain stands apart so that a record that passes costs no closure.
func (p *Pipeline) applyAgain(ctx context.Context, s *step, r *connectors.Record, read *connectors.SinkRecord, err error) (keep bool, _ error) {
	err = p.Errors.retry(ctx, err, func() (err error) {
		keep, err = s.apply(ctx, r, read)
		return err
	})
	return keep, err
}

func (s *step) apply(ctx context.Context, r *connectors.Record, read *connectors.SinkRecord) (keep bool, err error) {
	if s.predicate != nil {
		yes, err := s.predicate.Test(r)
		if err != nil {
			return false, err
		}
		if yes == s.negate {
			return true, nil
		}
	}
	if read != nil && s.sink != nil {
		return s.sink.ApplySink(ctx, read)
	}
	return s.transform.Apply(ctx, r)
}

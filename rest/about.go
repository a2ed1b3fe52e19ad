package rest

import (
	"millrace/connectors"
	"millrace/runtime"
)

// about says what a route does, takes and answers. Bodies are values of the Go types that are read and written.
type about struct {
	summary string
	params  []queryParameter
	body    any // nil: none
	replies []reply
	// internal routes are for other workers, which sign their requests; they need no credentials.
	internal bool
	// plain is set where the answer is text and no JSON.
	plain bool
}

type queryParameter struct {
	name, doc string
	values    []string // nil: any
	boolean   bool
	byDefault bool
	list      bool
}

type reply struct {
	status int
	body   any // nil: none
}

// problem is the body of an error answer.
var problem = errorBody{}

func does(summary string) about { return about{summary: summary} }

func (a about) takes(body any) about {
	a.body = body
	return a
}

func (a about) answers(status int, body any) about {
	a.replies = append(a.replies, reply{status, body})
	return a
}

func (a about) fails(statuses ...int) about {
	for _, status := range statuses {
		a.replies = append(a.replies, reply{status, problem})
	}
	return a
}

func (a about) param(q queryParameter) about {
	a.params = append(a.params, q)
	return a
}

func (a about) flag(name, doc string, byDefault bool) about {
	return a.param(queryParameter{name: name, doc: doc, boolean: true, byDefault: byDefault})
}

func (a about) betweenWorkers() about {
	a.internal = true
	return a
}

func (a about) plainText() about {
	a.plain = true
	return a.answers(200, "")
}

// Bodies that handlers read member by member, or that have several forms.
type (
	createBody struct {
		Name         string               `json:"name"`
		Config       connectors.RawConfig `json:"config"`
		InitialState runtime.TargetState  `json:"initial_state,omitempty"`
	}
	levelBody struct {
		Level string `json:"level"`
	}
	openDocument map[string]any
	topicsBody   struct {
		Topics []string `json:"topics"`
	}
	// namesOrExpanded is []string or map[string]expandedBody.
	namesOrExpanded struct{}
	expandedBody    struct {
		Info   *runtime.ConnectorInfo   `json:"info,omitempty"`
		Status *runtime.ConnectorStatus `json:"status,omitempty"`
		Health *runtime.ConnectorHealth `json:"health,omitempty"`
	}
)

// evaluate says what Argo Rollouts makes of a query's result: it runs the
// condition by the same code as the controller.
//
// Standard input: a JSON list of {"condition": "...", "samples": ["0.01", "NaN"]};
// standard output: a JSON list of phases.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/evaluate"
	"github.com/sirupsen/logrus"
)

type question struct {
	Condition string   `json:"condition"`
	Samples   []string `json:"samples"`
}

func answer(q question) (string, error) {
	values := make([]float64, 0, len(q.Samples))
	for _, sample := range q.Samples {
		value, err := strconv.ParseFloat(sample, 64)
		if err != nil {
			return "", err
		}
		values = append(values, value)
	}
	metric := v1alpha1.Metric{SuccessCondition: q.Condition}
	phase, err := evaluate.EvaluateResult(values, metric, *logrus.NewEntry(logrus.New()))
	if err != nil {
		return string(phase) + ": " + err.Error(), nil
	}
	return string(phase), nil
}

func run() error {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	answers := make([]string, 0, len(questions))
	for _, q := range questions {
		a, err := answer(q)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(1)
	}
}

/* Tests of two programs at length; mutants of derivative rules are held against them too. */
#ifndef GRADD_TESTS_OPS_LESSON_H
#define GRADD_TESTS_OPS_LESSON_H

/* The lesson's network against backpropagation written out by hand. */
void the_network_is_backpropagation(void **state);
/* What is kept and what is dropped in training, forwards and backwards. */
void dropout_drops_the_same_backwards(void **state);
/* The lesson's graph and its gradients have the nodes that they need, and no others. */
void the_gradient_has_no_superfluous_node(void **state);

#endif

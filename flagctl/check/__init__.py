"""What is wrong in a flag repository, and whether its flags do what their tests expect.

run          all that is wrong, in one pass
rules/       the rules, one a file: id, why, a wrong and a right example, and a function that yields problems
catalogue    the rules there are, found by looking into rules/
view         what rules look at: flags and segments with their leaves gathered, each with its place
allow        `# flagctl: allow RULE — reason`
select       which files `check KEY|PATH` means

facts        what follows from conditions; ranges and texts do it for ordered values and for text
ranges       numbers, times and versions as parts of a line
texts        how a text begins, ends, and what it contains
kinds        which operators and values fit which attribute, which values fit which flag
cycles       circles among requirements and segments
experiments  which experiments share a layer
unsaid       what flagd can't say, as problems

expect       `flagctl test`: each expectation, answered as a service would
cases        the cases that a matrix makes
coverage     what no expectation reaches
"""

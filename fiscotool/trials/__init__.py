"""Try every mutant with every way of judging, and write down which noticed: a checker that never says no is no checker.

    verdict      what a trial says
    liars        Byzantine replicas that go for one bug each
    worlds       simulated worlds by name
    simulator    the mutant in simulated replicas, judged by the properties and by liveness
    exploring    the mutant in a small world under all schedules within bounds
    embedded     the mutant in real processes, under a short drill, recorded
    drills       which drill for which mutant
    recorded     what polls and traces say of such a recording
    page         docs/mutants.md from the numbers of a run

Sources: observables 4 ("non-vacuity proof obligations"), 4.1.
"""

;; Diphone voices at a quarter of their loudness.
;;
;; Festival's filter sums up in 16 bits and wraps around where that is not enough, which is heard as a crack; every
;; second Italian word does so at its own loudness. So the sound of each diphone is made quieter before it is filtered.
;; Festival keeps what it has loaded: each diphone is softened once, however often it is used.
(set! softened nil)
(define (soften unit)
  (let ((name (item.feat unit "name")))
    (item.set_feat unit "energy_factor" (if (member_string name softened) 1.0 0.25))
    (set! softened (cons name softened))))
;; What UniSyn does, with the softening in between.
(defSynthType Softly
  (Param.def "unisyn.window_name" "hanning")
  (Param.def "unisyn.window_factor" 1.0)
  (Parameter.def 'us_sigpr 'lpc)
  (us_get_diphones utt)
  (mapcar soften (utt.relation.items utt 'Unit))
  (us_energy_normalise utt 'Unit)
  (us_unit_concat utt)
  (if (not (member 'f0 (utt.relationnames utt))) (targets_to_f0 utt))
  (us_f0_to_pitchmarks utt 'f0 'TargetCoef (+ (item.feat (utt.relation.last utt 'Segment) "end") 0.02))
  (us_mapping utt 'segment_single)
  (us_generate_wave utt (Parameter.get 'us_sigpr) 'analysis_period)
  utt)
(Parameter.set 'Synth_Method 'Softly)

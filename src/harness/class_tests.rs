//! A test for each class. `WRONGKEY_BLESS=1 cargo test --test class_tests` writes this file.

/// Makes a `#[test]` of each class of the catalogue for a validator of your own, named after the class (`ks_01`), and one that
/// shows honest tokens. Each runs its class alone, wherever in the shipped worlds it can be tried; see
/// [`check_class`](crate::harness::check_class) for what makes one fail. The argument makes a fresh validator.
///
/// ```
/// # use wrongkey::validator::reference::Reference as OurGate;
/// mod our_gate {
///     wrongkey::class_tests!(|| Box::new(super::OurGate::default()));
/// }
/// ```
#[macro_export]
#[rustfmt::skip]
macro_rules! class_tests {
    (@each $make:expr; $($name:ident $id:literal)*) => {
        $(
            #[test]
            fn $name() {
                $crate::harness::check_class($id, $make);
            }
        )*
    };
    ($make:expr $(,)?) => {
        #[test]
        fn honest_tokens_are_accepted() {
            $crate::harness::check_honest($make);
        }
        $crate::class_tests! { @each $make;
            storm_0558_consumer_key_for_enterprise "storm-0558/consumer-key-for-enterprise"
            storm_0558_retired_consumer_key_for_enterprise "storm-0558/retired-consumer-key-for-enterprise"
            storm_0558_consumer_key_for_enterprise_at_both "storm-0558/consumer-key-for-enterprise-at-both"
            storm_0558_retired_consumer_key_for_enterprise_at_both "storm-0558/retired-consumer-key-for-enterprise-at-both"
            storm_0558_enterprise_key_for_consumer "storm-0558/enterprise-key-for-consumer"
            storm_0558_enterprise_key_for_consumer_at_both "storm-0558/enterprise-key-for-consumer-at-both"
            storm_0558_retired_consumer_key_for_consumer "storm-0558/retired-consumer-key-for-consumer"
            ks_01 "KS-01"
            ks_02 "KS-02"
            ks_03 "KS-03"
            ks_04 "KS-04"
            ks_05 "KS-05"
            ks_06 "KS-06"
            ks_07 "KS-07"
            ks_08 "KS-08"
            ks_09 "KS-09"
            ks_10 "KS-10"
            ks_11 "KS-11"
            ks_12 "KS-12"
            ks_14 "KS-14"
            ks_16 "KS-16"
            ks_20 "KS-20"
            ks_25 "KS-25"
            ks_26 "KS-26"
            ks_27 "KS-27"
            kl_01 "KL-01"
            kl_03 "KL-03"
            kl_04 "KL-04"
            kl_07 "KL-07"
            kl_09 "KL-09"
            kl_10 "KL-10"
            kl_11 "KL-11"
            kl_16 "KL-16"
            kr_01 "KR-01"
            st_01 "ST-01"
            st_02 "ST-02"
            st_12 "ST-12"
            rx_01 "RX-01"
            al_01 "AL-01"
            al_02 "AL-02"
            al_03 "AL-03"
            al_04 "AL-04"
            al_06 "AL-06"
            al_08 "AL-08"
            al_09 "AL-09"
            al_13 "AL-13"
            al_14 "AL-14"
            al_18 "AL-18"
            ia_01 "IA-01"
            ia_02 "IA-02"
            ia_03 "IA-03"
            ia_04 "IA-04"
            ia_05 "IA-05"
            ia_06 "IA-06"
            ia_07 "IA-07"
            ia_19 "IA-19"
            ia_22 "IA-22"
            ia_31 "IA-31"
            ia_32 "IA-32"
            ia_33 "IA-33"
            ia_34 "IA-34"
            ia_40 "IA-40"
            tm_01 "TM-01"
            tm_02 "TM-02"
            tm_03 "TM-03"
            tm_04 "TM-04"
            tm_05 "TM-05"
            tm_09 "TM-09"
            cr_01 "CR-01"
            cr_02 "CR-02"
            se_01 "SE-01"
            se_08 "SE-08"
            se_09 "SE-09"
            ty_01 "TY-01"
            ty_13 "TY-13"
            en_01 "EN-01"
            en_04 "EN-04"
            en_05 "EN-05"
            en_20 "EN-20"
            en_26 "EN-26"
            sg_01 "SG-01"
            sg_02 "SG-02"
            sg_13 "SG-13"
            pc_01 "PC-01"
            pc_02 "PC-02"
        }
    };
}
